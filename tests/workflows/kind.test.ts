/** What kind.yaml does to a cluster, held to what the stages render: without one, that much can be seen. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { the } from '../k8s/support/check.ts'
import { everyContainer, type Obj, ofKind } from '../k8s/support/objects.ts'
import { render } from '../k8s/support/render.ts'
import { loadWorkflows, ROOT, stepsOf } from './support/load.ts'
import { idOf, takenAway } from './support/taken-away.ts'

const workflow = loadWorkflows().find(({ file }) => file === 'kind.yaml')
const steps = workflow ? stepsOf(workflow) : []
const commands = steps.map(({ run = '' }) => run).join('\n')
const [, backwards = ''] = commands.split('3-inventory\n')
type Door = { ingressClassName: string; rules: { host: string }[] }
let before: Obj[]
let after: Obj[]

beforeAll(async () => {
  before = await render('kind/2-subscribers')
  after = await render('kind/3-inventory')
}, 240_000)

test('it goes a stage on and back again', () => {
  expect([...commands.matchAll(/deploy\.sh k8s\/kind\/(\S+)/g)].map(([, stage]) => stage)).toEqual([
    '2-subscribers',
    '3-inventory',
    '2-subscribers',
  ])
})

test('on the way back it takes away what the stage before does not have, and nothing else', () => {
  const had = before.map(idOf)
  // A ConfigMap's name changes with its contents; those of before are applied again.
  const added = after.filter((one) => one.kind !== 'ConfigMap' && !had.includes(idOf(one)))
  expect(takenAway(backwards, after)).toEqual(added.map(idOf).sort())
})

test('it loads every image of ours that the stages name, under the tag that they name', () => {
  const wanted = everyContainer(after).map(({ container }) => container.image ?? '')
  const ours = [...new Set(wanted)].filter((image) => image.startsWith('banyan/'))
  const built = String(steps.find(({ env }) => env?.WORKSPACES)?.env?.WORKSPACES).split(' ')
  expect(built.map((folder) => `banyan/${folder.split('/').at(-1)}:release-0.1`).sort()).toEqual(ours.sort())
})

test('the ingress is of the class, at the host and from the namespace that the commands are for', () => {
  const { ingressClassName, rules } = the(after, 'Ingress', 'front-door').spec as unknown as Door
  const script = readFileSync(join(ROOT, 'k8s/kind/deploy.sh'), 'utf8')
  expect(ingressClassName).toBe('traefik')
  expect(script).toContain(`http://${rules[0]?.host}:8000`)
  const door = ofKind(after, 'NetworkPolicy').find(({ metadata }) => metadata.name === 'door')
  expect(JSON.stringify(door)).toContain('"key":"door.banyan/opens"')
  expect(commands).toContain('kubectl label namespace traefik door.banyan/opens=true')
})
