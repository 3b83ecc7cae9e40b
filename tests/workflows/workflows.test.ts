import { describe, expect, it, test } from 'vitest'
import { checks } from './checks.ts'
import { loadWorkflows, stepsOf, type Workflow } from './support/load.ts'

const workflows = loadWorkflows()
const named = (file: string) => workflows.find((workflow) => workflow.file === file) as Workflow

describe.each(workflows)('$file', (workflow) => {
  it.each(checks)('$title', ({ faults }) => {
    expect(faults(workflow)).toEqual([])
  })
})

describe('each check sees what it is for', () => {
  it.each(checks)('$title', ({ faults, plant }) => {
    const broken = structuredClone(named('images.yaml'))
    plant(broken)
    expect(faults(broken)).not.toEqual([])
  })
})

describe('an image', () => {
  const { image, push } = named('images.yaml').jobs
  const using = (action: string) => image?.steps.findIndex(({ uses }) => uses?.startsWith(`${action}@`)) ?? -1
  const settings = (action: string) => image?.steps[using(action)]?.with

  test('is built where the change is about it, and listed and looked at by two scanners before anything else', () => {
    expect(image?.if).toBe("needs.changed.outputs.workspaces != '[]'")
    const order = ['anchore/sbom-action', 'aquasecurity/trivy-action', 'anchore/scan-action'].map(using)
    const built = image?.steps.findIndex(({ run }) => run?.includes('compose/images/main.ts')) ?? -1
    expect(built).toBeGreaterThan(0)
    expect([built, ...order]).toEqual([built, built + 1, built + 2, built + 3])
  })

  test('with a serious fault that is mended elsewhere ends the run', () => {
    expect(settings('aquasecurity/trivy-action')).toMatchObject({ severity: 'CRITICAL,HIGH', 'exit-code': '1' })
    expect(settings('anchore/scan-action')).toMatchObject({ 'severity-cutoff': 'high', 'fail-build': true })
  })

  test('goes to the registry for a tag only, when all have passed', () => {
    expect(push?.if).toBe("startsWith(github.ref, 'refs/tags/v')")
    expect(push?.needs).toContain('image')
    const pushes = workflows.flatMap((workflow) =>
      Object.entries(workflow.jobs).filter(([, { steps }]) => steps.some(({ run }) => run?.includes('--push'))),
    )
    expect(pushes.map(([name]) => name)).toEqual(['push'])
  })

  test('is tested by the same command as everywhere', () => {
    expect(stepsOf(named('ci.yaml')).map(({ run }) => run)).toContain('bash .ci/run')
  })
})
