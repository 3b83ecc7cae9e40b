/** Whom foreign servers run as: PostgreSQL refuses root, so root hands them to an unprivileged system user. */
import { spawnSync } from 'node:child_process'

export type SystemUser = { uid: number; gid: number }

const NAME = 'banyan'

/**
 * @param announce told what is created on this machine
 * @returns Nothing for an ordinary user, who runs them as himself; for root the system user `banyan` (made when
 * missing), or `nobody` where no user can be made.
 */
export function systemUser(announce: (line: string) => void): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const known = lookUp(NAME)
  if (known) return known
  announce(`creating the system user "${NAME}": PostgreSQL does not run as root`)
  spawnSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', NAME], { stdio: 'ignore' })
  const found = lookUp(NAME) ?? lookUp('nobody')
  if (!found) throw new Error(`as root, a system user is needed for PostgreSQL: make one named "${NAME}" (useradd -r)`)
  return found
}

function lookUp(name: string): SystemUser | undefined {
  const id = (what: string) => {
    const done = spawnSync('id', [what, name], { encoding: 'utf8' })
    return done.status === 0 ? Number(done.stdout) : undefined
  }
  const uid = id('-u')
  const gid = id('-g')
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}
