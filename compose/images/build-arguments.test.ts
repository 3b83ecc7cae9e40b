import { expect, test } from 'vitest'
import { buildArguments } from './build-arguments.ts'

const recipe = {
  workspace: 'extracted/user-service',
  names: ['banyan/user-service:abc1234', 'banyan/user-service:release-1.2'],
  revision: 'abc1234',
  version: '1.2',
  secrets: [['npmrc', '/home/somebody/.npmrc']] as [string, string][],
  context: '/shop',
}
const settings = [
  ...['--build-arg', 'WORKSPACE=extracted/user-service'],
  ...['--build-arg', 'REVISION=abc1234'],
  ...['--build-arg', 'VERSION=1.2'],
  ...['--secret', 'id=npmrc,src=/home/somebody/.npmrc'],
]

test('an image that stays is built for this machine, under its own name', () => {
  expect(buildArguments({ ...recipe, network: 'host' })).toEqual([
    ...['build', '--network', 'host', ...settings],
    ...['--tag', 'banyan/user-service:abc1234', '--tag', 'banyan/user-service:release-1.2', '/shop'],
  ])
})

test('one that goes to a registry is for both architectures, and says what is in it and how it came to be', () => {
  expect(buildArguments({ ...recipe, registry: 'ghcr.io/somebody' })).toEqual([
    ...['buildx', 'build', '--push', '--platform', 'linux/amd64,linux/arm64', '--sbom=true', '--provenance=mode=max'],
    ...settings,
    ...['--tag', 'ghcr.io/somebody/banyan/user-service:abc1234'],
    ...['--tag', 'ghcr.io/somebody/banyan/user-service:release-1.2', '/shop'],
  ])
  expect(() => buildArguments({ ...recipe, registry: 'https://ghcr.io' })).toThrow('called like ghcr.io/somebody')
})
