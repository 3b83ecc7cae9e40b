/** The image's recipe, held to its part of the list of checks in k8s/README.md, from its text. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { workspaces: string[] }
/** Each instruction on one line, without comments. */
const instructions = dockerfile
  .replaceAll(/^\s*#.*$/gm, '')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .map((line) => line.trim())
  .filter(Boolean)
const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')))
const workspaces = manifest.workspaces
  .flatMap((pattern) =>
    pattern.endsWith('/*')
      ? readdirSync(join(ROOT, pattern.slice(0, -2))).map((name) => `${pattern.slice(0, -2)}/${name}`)
      : [pattern],
  )
  // A folder without a manifest is no workspace: a service in another language.
  .filter((folder) => existsSync(join(ROOT, folder, 'package.json')))

describe('the Dockerfile', () => {
  // A digest is not asked for: no registry answers here, so the tag names the major version and the distribution.
  it('31. builds in one stage and runs in another, on the same major version of Node', () => {
    const bases = instructions.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1])
    expect(bases.length).toBeGreaterThan(1)
    expect(new Set(bases.map((base) => /node(?:js)?:?(\d+)/.exec(base ?? '')?.[1])).size).toBe(1)
  })

  it('32. installs what is locked, for running, and leaves npm behind', () => {
    expect(instructions.find((line) => line.includes('npm ci'))).toContain('--omit=dev')
    expect(last.join('\n')).not.toMatch(/\bnpm\b/)
    expect(last[0]).toContain('distroless')
  })

  it('33. runs as a numeric user that is not root', () => {
    expect(last.filter((line) => line.startsWith('USER '))).toEqual(['USER 65532:65532'])
  })

  it('34. starts Node itself, without a shell', () => {
    for (const word of ['ENTRYPOINT', 'CMD']) {
      expect(JSON.parse(last.find((line) => line.startsWith(`${word} `))?.slice(word.length) ?? '')).toBeInstanceOf(
        Array,
      )
    }
  })

  // 35 is about SIGTERM in a running container, which needs an engine: tests/containers; kit/service/serve.test.ts has it
  // for a process. No init is in the image: Compose brings one (44 in tests/compose), and in a pod Node is PID 1 and handles it.

  it('36. is for production, and installs before it copies sources', () => {
    expect(last.some((line) => line.startsWith('ENV ') && line.includes('NODE_ENV=production'))).toBe(true)
    const at = (start: string) => instructions.findIndex((line) => line.startsWith(start))
    expect(at('COPY package.json package-lock.json')).toBeLessThan(
      instructions.findIndex((line) => line.includes('npm ci')),
    )
    expect(instructions.findIndex((line) => line.includes('npm ci'))).toBeLessThan(at('COPY kit kit'))
  })

  it('36. knows the manifest of every workspace: npm ci refuses where one is missing', () => {
    const copied = instructions.flatMap((line) => /^COPY (\S+)\/package\.json /.exec(line)?.[1] ?? [])
    expect(copied.sort()).toEqual(workspaces.sort())
  })

  it('37. is given what it needs and nothing else', () => {
    expect(ignore[0]).toBe('**')
    expect(ignore).toContain('**/node_modules')
    expect(ignore.filter((line) => /^!.*(\.git|\.env)/.test(line))).toEqual([])
    expect(instructions.join('\n')).toContain("find . -name '*.test.ts'")
  })

  it('38. has no secret in it: those of the build are mounted', () => {
    const named = instructions.filter((line) => /^(ARG|ENV) /.test(line)).join(' ')
    expect(named).not.toMatch(/PASSWORD|TOKEN|SECRET|KEY/)
    expect(instructions.find((line) => line.includes('npm ci'))).toContain('--mount=type=secret')
  })

  it('39. asks by a script of Node’s whether it is healthy, for engines without probes', () => {
    const check = last.find((line) => line.startsWith('HEALTHCHECK ')) ?? ''
    expect(JSON.parse(check.slice(check.indexOf('CMD ') + 4))).toEqual(['/nodejs/bin/node', '/app/healthy.mjs'])
    expect(instructions).toContain('COPY compose/images/healthy.mjs ./')
  })

  it('40. says what it is and of which revision', () => {
    const labels = last.find((line) => line.startsWith('LABEL ')) ?? ''
    for (const label of ['title', 'version', 'revision', 'licenses'])
      expect(labels).toContain(`org.opencontainers.image.${label}=`)
  })
})
