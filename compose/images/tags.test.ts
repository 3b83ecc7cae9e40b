import { expect, test } from 'vitest'
import { SERVICES } from '../provision/services.ts'
import { imagesOf, tagsOf } from './tags.ts'

test('an image is called after its commit, its release, and latest for the newest stable one', () => {
  expect(tagsOf({ revision: 'abc1234' })).toEqual(['abc1234'])
  expect(tagsOf({ revision: 'abc1234-dirty' })).toEqual(['abc1234-dirty'])
  expect(tagsOf({ revision: 'abc1234', release: '1.2' })).toEqual(['abc1234', 'release-1.2'])
  expect(tagsOf({ revision: 'abc1234', release: '1.2', latest: true })).toEqual(['abc1234', 'release-1.2', 'latest'])
})

test('no release of files without a commit, none by another name, and no latest that is no release', () => {
  expect(() => tagsOf({ revision: 'abc1234-dirty', release: '1.2' })).toThrow('of a commit')
  expect(() => tagsOf({ revision: 'abc1234', release: 'next' })).toThrow('x.y')
  expect(() => tagsOf({ revision: 'abc1234', latest: true })).toThrow('--release')
})

test('there is an image for every service of the table, and for the processes around them', () => {
  const images = [...imagesOf(new URL('../..', import.meta.url).pathname).values()]
  const around = ['monolith', 'strangler-proxy', 'migrations', 'compose']
  expect(images.sort()).toEqual([...around, ...SERVICES.map(({ name }) => name)].map((name) => `banyan/${name}`).sort())
})
