import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { armFailPoints, failPoint } from './fail-points.ts'

afterEach(() => armFailPoints(''))

describe('fail points', () => {
  it('do nothing unless armed', () => {
    expect(failPoint('anything')).toBeUndefined()
    armFailPoints('other=throw')
    expect(failPoint('anything')).toBeUndefined()
  })

  it('throw, once or after some passes', async () => {
    const armed = armFailPoints('a=throw, b=once:throw, c=after:2:throw')
    expect(() => failPoint('a')).toThrow('fail point a')
    expect(() => failPoint('a')).toThrow()
    expect(() => failPoint('b')).toThrow()
    expect(failPoint('b')).toBeUndefined()
    failPoint('c')
    failPoint('c')
    expect(() => failPoint('c')).toThrow()
    expect(armed.reached('c')).toBe(3)
  })

  it('hang until released, pause for a time', async () => {
    const armed = armFailPoints('h=hang,p=pause:20')
    const order: string[] = []
    const hanging = Promise.resolve(failPoint('h')).then(() => order.push('hung'))
    await Promise.resolve(failPoint('p')).then(() => order.push('paused'))
    armed.release('h')
    await hanging
    expect(order).toEqual(['paused', 'hung'])
  })

  it('kill the process so that nothing after them runs', () => {
    const script = `import { armFailPoints, failPoint } from ${JSON.stringify(join(import.meta.dirname, 'fail-points.ts'))}
      armFailPoints('k=kill'); console.log('before'); await failPoint('k'); console.log('after')`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(child.signal).toBe('SIGKILL')
    expect(child.stdout).toBe('before\n')
  })

  it('refuse what they cannot read, quoting it', () => {
    expect(() => armFailPoints('a=explode')).toThrow('"a=explode"')
    expect(() => armFailPoints('a=pause')).toThrow('"a=pause"')
  })
})
