import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { sharedFolder, stackFolder } from './work-folder.ts'

afterEach(() => vi.unstubAllEnvs())

it('makes the folder of a stack where it is told to, and leaves what all share where it is', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'banyan-scratch-'))
  vi.stubEnv('BANYAN_SCRATCH', scratch)
  const folder = stackFolder()
  try {
    expect(dirname(dirname(folder))).toBe(scratch)
    // Passed through by the servers' user, who sees no names in it.
    expect(statSync(folder).mode & 0o777).toBe(0o711)
    expect(dirname(sharedFolder())).toBe('/var/tmp')
  } finally {
    rmSync(scratch, { recursive: true })
  }
})
