/** The secrets of the Compose stages as files: one of variables for each container, and the broker's accounts. */
import { newSecrets, type Secrets } from '../provision/secrets.ts'

/** By their names; none holds a value that its container does not need. */
export async function newEnvFiles(): Promise<Record<string, string>> {
  const {
    rabbitmq,
    'postgres-superuser': superuser,
    ...rest
  } = await newSecrets({ postgres: 'postgres', rabbitmq: 'rabbitmq' })
  const [databases, others] = split(rest, /^database-/)
  const [movers, own] = split(others, /^mover(-|$)/)
  const files = {
    ...own,
    postgres: { POSTGRES_PASSWORD: superuser?.password ?? '' },
    chaos: { DATABASE_URL: superuser?.DATABASE_URL ?? '' },
    databases: { DATABASE_URL: superuser?.DATABASE_URL ?? '', ...Object.assign({}, ...Object.values(databases)) },
    mover: Object.assign({}, ...Object.values(movers)),
  }
  return {
    'definitions.json': rabbitmq?.['definitions.json'] ?? '',
    ...Object.fromEntries(Object.entries(files).map(([name, env]) => [`${name}.env`, linesOf(env)])),
  }
}

function split(secrets: Secrets, by: RegExp): [Secrets, Secrets] {
  const part = (wanted: boolean) =>
    Object.fromEntries(Object.entries(secrets).filter(([name]) => by.test(name) === wanted))
  return [part(true), part(false)]
}

/** In single quotes Compose takes a value as it is; none of ours holds one. */
function linesOf(env: Record<string, string>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('')
}
