/** Has Debian install what is missing, where this is Debian and we are root. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Installs packages without letting them start their system services. Where that is not possible nothing happens; what
 * apt-get says against it is announced.
 * @param packages Debian's names
 */
export function installPackages(packages: readonly string[], announce: (line: string) => void): void {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return
  announce(`installing ${packages.join(', ')} with apt-get (system services are kept from starting) …`)
  const policy = '/usr/sbin/policy-rc.d'
  // The file by which Debian asks whether a freshly installed service may start: 101 means no.
  const ours = !existsSync(policy)
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env, timeout: 180_000 })
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
    const done = spawnSync('apt-get', install, { encoding: 'utf8', env, timeout: 600_000 })
    if (done.status !== 0) announce(`apt-get could not: ${(done.stderr || done.error?.message || '').trim()}`)
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
}
