/** The fallback where a server is neither named in the environment nor installed: a container, if Docker answers. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type Child, startKept } from './child.ts'

/** @returns Whether a Docker engine answers. */
export function dockerAnswers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0
}

/**
 * Runs an image in the foreground under a keeper; the container is removed when its starter ends.
 * @param options.ports host port → container port, published on 127.0.0.1 alone
 */
export function startContainer(
  name: string,
  options: {
    image: string
    ports: Record<number, number>
    env: Record<string, string>
    args?: string[]
    network?: 'host'
    log: string
  },
): Child {
  const container = `banyan-${name}-${randomBytes(4).toString('hex')}`
  const network = options.network
    ? ['--network', options.network]
    : Object.entries(options.ports).flatMap(([host, inside]) => ['-p', `127.0.0.1:${host}:${inside}`])
  // Values travel through the environment of the docker command: a command line is readable by everybody.
  const variables = Object.keys(options.env).flatMap((variable) => ['-e', variable])
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...dockerSettings() }
  return startKept(
    name,
    {
      main: {
        command: 'docker',
        args: ['run', '--rm', '--name', container, ...network, ...variables, options.image, ...(options.args ?? [])],
        env: { ...env, ...options.env },
      },
      beside: [],
      stopSignal: 'SIGTERM',
      graceMs: 12_000,
      afterwards: [{ command: 'docker', args: ['rm', '--force', '--volumes', container], env }],
      scrap: [],
    },
    options.log,
  )
}

function dockerSettings(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith('DOCKER_'))
  return Object.fromEntries(own) as Record<string, string>
}
