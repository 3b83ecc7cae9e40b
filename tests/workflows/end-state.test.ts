/** What k8s/kind/cluster.sh and end-state.sh do to a cluster, held to what the stages render and to the table of services. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { imagesOf } from '../../compose/images/tags.ts'
import { SERVICES } from '../../compose/provision/services.ts'
import { everyContainer, type Obj } from '../k8s/support/objects.ts'
import { render } from '../k8s/support/render.ts'
import { ROOT } from './support/load.ts'
import { idOf, takenAway } from './support/taken-away.ts'

const script = (name: string) => readFileSync(join(ROOT, 'k8s/kind', name), 'utf8')
const way = script('end-state.sh')
let before: Obj[]
let after: Obj[]

beforeAll(async () => {
  before = await render('stages/6-orders')
  after = await render('stages/7-microservices')
}, 240_000)

test('every image is loaded, under the tag that the manifests name', () => {
  const [, names = '', tag] = /for name in ([^;]*);[^"]*"banyan\/\$name:(\S+)"/.exec(script('cluster.sh')) ?? []
  const loaded = names.replace(/\{([^}]*)\}(\S*)/, (_, list: string, end: string) =>
    list
      .split(',')
      .map((one) => one + end)
      .join(' '),
  )
  const images = loaded.split(' ').map((name) => `banyan/${name}`)
  expect(images.sort()).toEqual([...imagesOf(ROOT).values()].sort())
  const wanted = everyContainer(before).map(({ container }) => container.image ?? '')
  const ours = wanted.filter((image) => image.startsWith('banyan/'))
  expect(ours.filter((image) => !images.includes(image.replace(`:${tag}`, '')))).toEqual([])
})

test('every context moves, orders after those that they ask', () => {
  const contexts = /CONTEXTS='([^']*)'/.exec(way)?.[1]?.split(' ') ?? []
  expect([...contexts].sort()).toEqual(SERVICES.map(({ context }) => context).sort())
  expect(contexts.at(-1)).toBe('orders')
})

test('at the end it takes away what the last stage does not have, and nothing that it has', () => {
  const has = after.map(idOf)
  const gone = before.filter((one) => !has.includes(idOf(one)) && one.kind !== 'ConfigMap')
  expect(takenAway(way, before)).toEqual(gone.map(idOf).sort())
})
