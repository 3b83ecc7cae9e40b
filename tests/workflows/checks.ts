/** What a workflow has to keep to: each check with a fault to plant that it must see. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, stepsOf, type Workflow } from './support/load.ts'

export type Check = {
  title: string
  /** Everything that breaks it. */
  faults: (workflow: Workflow) => string[]
  /** Breaks it, in a copy of `images.yaml`. */
  plant: (workflow: Workflow) => void
}

const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/
/** Whoever may write, what, and why nothing less will do. */
const WRITERS: Record<string, Record<string, string>> = {
  // The registry of packages is where the images go.
  'images.yaml/push': { packages: 'write' },
}
const decision = readFileSync(join(ROOT, 'docs/decisions/0010-workflows-are-pinned-and-tested.md'), 'utf8')

export const checks: Check[] = [
  {
    title: 'every action is pinned by its full commit, with its version beside it',
    faults: (workflow) =>
      stepsOf(workflow)
        .flatMap(({ uses }) => uses ?? [])
        .filter(
          (uses) => !PINNED.test(uses) || !new RegExp(`uses: ${uses} # v?\\d+\\.\\d+\\.\\d+\n`).test(workflow.text),
        ),
    plant: ({ jobs }) => {
      jobs.image!.steps[0]!.uses = 'actions/checkout@v4'
    },
  },
  {
    title: 'every action is in the list of the decision, with this commit',
    faults: (workflow) =>
      stepsOf(workflow)
        .flatMap(({ uses }) => uses ?? [])
        .filter((uses) => !new RegExp(`\`${uses.replace('@', '` *\\| *`')}\``).test(decision)),
    plant: ({ jobs }) => {
      jobs.image!.steps[0]!.uses = `actions/checkout@${'a'.repeat(40)}`
    },
  },
  {
    title: 'it may read the sources and nothing else, but for the jobs that have to write',
    faults: ({ file, permissions, jobs }) => [
      ...(JSON.stringify(permissions) === '{"contents":"read"}'
        ? []
        : [JSON.stringify(permissions) ?? 'no permissions']),
      ...Object.entries(jobs)
        .filter(([name, job]) => {
          const wanted = WRITERS[`${file}/${name}`]
          return JSON.stringify(job.permissions) !== JSON.stringify(wanted && { contents: 'read', ...wanted })
        })
        .map(([name]) => name),
    ],
    plant: ({ jobs }) => {
      jobs.image!.permissions = { contents: 'read', packages: 'write' }
    },
  },
  {
    title: 'no step leaves the token in the checkout, and no other secret is asked for',
    faults: (workflow) => [
      ...stepsOf(workflow)
        .filter((step) => step.uses?.startsWith('actions/checkout@') && step.with?.['persist-credentials'] !== false)
        .map(({ uses }) => `${uses} keeps the token`),
      ...[...JSON.stringify(workflow.jobs).matchAll(/secrets\.(\w+)/g)].flatMap(([, name]) =>
        name === 'GITHUB_TOKEN' ? [] : (name as string),
      ),
    ],
    plant: ({ jobs }) => {
      delete jobs.image!.steps[0]!.with!['persist-credentials']
    },
  },
  {
    title: 'nothing that somebody else may choose is put into a command: it comes by the environment',
    faults: (workflow) =>
      stepsOf(workflow)
        .flatMap(({ run }) => run ?? [])
        .filter((run) => run.includes('${{')),
    plant: ({ jobs }) => {
      jobs.image!.steps[2]!.run = 'node compose/images/main.ts ${{ matrix.workspace }}'
    },
  },
  {
    title: 'no code of a stranger runs with rights of the repository',
    faults: ({ on }) =>
      Object.keys(on).filter((event) => /^(pull_request_target|workflow_run|issue_comment)$/.test(event)),
    plant: (workflow) => {
      workflow.on.pull_request_target = {}
    },
  },
  {
    title: 'every job ends in time, on a system that is named by its version, and gives way to the next of its kind',
    faults: ({ jobs, concurrency }) => [
      ...(concurrency ? [] : ['no concurrency']),
      ...Object.entries(jobs)
        .filter(([, job]) => !job['timeout-minutes'] || !/-\d+\.\d+$/.test(job['runs-on'] ?? ''))
        .map(([name]) => name),
    ],
    plant: ({ jobs }) => {
      jobs.image!['runs-on'] = 'ubuntu-latest'
    },
  },
  {
    title: 'every file of this repository that a command names is there',
    faults: (workflow) =>
      stepsOf(workflow)
        .flatMap(({ run = '' }) => [...run.matchAll(/\b(?:node|bash|-k) ([\w./-]+\/[\w./-]+)/g)])
        .map(([, path = '']) => path)
        .filter((path) => !existsSync(join(ROOT, path))),
    plant: ({ jobs }) => {
      jobs.image!.steps[2]!.run = 'node compose/images/build.ts'
    },
  },
]
