/** In which order things start, and what shows that they are up. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { newEnvFiles } from '../../../compose/containers/env-files.ts'
import { type Check, isOnce, perService, VIEWERS } from '../support/check.ts'
import { COMPOSE } from '../support/load.ts'

const made = Object.keys(await newEnvFiles())
const SECRETS = '../.banyan/compose/'

export const startingChecks: Check[] = [
  {
    n: 41,
    title: 'every variable has a default, and every file of secrets is one that `npm run compose:secrets` makes',
    faults: (stage) =>
      perService(stage, (service) => [
        ...(JSON.stringify(service).match(/\$\{[^}]*\}/g) ?? []).filter((one) => !one.includes(':-')),
        ...(service.env_file ?? []).filter((file) => !made.includes(file.replace(SECRETS, ''))),
      ]),
    plant: (stage) => {
      stage.services.proxy!.env_file = ['../.banyan/compose/proxies.env']
    },
  },
  {
    // `restart: true` is not asked for: every process here connects again by itself, and to start them all anew after
    // each restart of a server would turn a hiccup into an outage.
    n: 42,
    title: 'whoever needs something waits until it is healthy, or has ended well',
    faults: (stage) =>
      perService(stage, ({ depends_on = {} }) =>
        Object.entries(depends_on).map(([name, { condition }]) => {
          const other = stage.services[name]
          if (!other) return `waits for ${name}, which is not there`
          const wanted = isOnce(other) ? 'service_completed_successfully' : 'service_healthy'
          return condition !== wanted && `waits for ${name} to be ${condition}`
        }),
      ),
    plant: (stage) => {
      stage.services.proxy!.depends_on!.contexts!.condition = 'service_started'
    },
  },
  {
    // Not the viewers: most of their images hold nothing to ask with, and nobody waits for them.
    n: 43,
    title: 'whatever stays up says whether it is well, with time to start',
    faults: (stage) =>
      perService(stage, (service, name) => {
        const { test, start_period, disable } = service.healthcheck ?? {}
        return [
          !isOnce(service) &&
            !VIEWERS.includes(name) &&
            (disable || !test?.length || !start_period) &&
            'is never asked',
        ]
      }),
    plant: (stage) => {
      delete stage.services.unleash!.healthcheck
    },
  },
  {
    // `develop.watch` is not asked for: what runs is an image with its root read-only, whose sources are those of one
    // commit. To work on the sources there is the embedded stack, `npm start`.
    n: 47,
    title:
      'each stage takes in the infrastructure and the changes up to its own; shoppers, faults and viewers come only when asked for',
    faults: (stage) => {
      const changes = stage.files.slice(1)
      return [
        ...(stage.files[0] === 'infra.yaml' ? [] : ['begins without infra.yaml']),
        ...changes.filter((file, n) => !file.startsWith(`changes/${n}-`)),
        // Alone in its profile: `up` of a profile starts all that is in it, and the smoke test ends.
        ...Object.entries({
          ...{ smoke: 'smoke', shoppers: 'load', chaos: 'chaos' },
          ...Object.fromEntries(VIEWERS.map((name) => [name, 'observability'])),
        })
          .filter(([name, profile]) => stage.services[name]?.profiles?.join() !== profile)
          .map(([name]) => name),
      ]
    },
    plant: (stage) => {
      stage.files.pop()
      stage.files.push('changes/9-nothing.yaml')
    },
  },
  {
    n: 48,
    title: 'every file that is mounted, and every workspace that is built, is there',
    faults: (stage) =>
      perService(stage, ({ volumes = [], build }) => [
        ...volumes
          .map((one) => one.split(':')[0] as string)
          .filter((from) => from.startsWith('.'))
          .filter((from) => !made.includes(from.replace(SECRETS, '')) && !existsSync(join(COMPOSE, from))),
        build !== undefined &&
          !existsSync(join(COMPOSE, build.context, build.args.WORKSPACE ?? '-', 'package.json')) &&
          `builds ${build.args.WORKSPACE}`,
      ]),
    plant: (stage) => {
      stage.services.rabbitmq!.volumes!.push('./rabbitmq.conf:/etc/rabbitmq.conf:ro')
    },
  },
]
