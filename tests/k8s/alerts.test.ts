/** The alerts as Prometheus itself reads and evaluates them, where its promtool is on the path. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = resolve(import.meta.dirname, '../..')
const CASES = 'tests/k8s/alerts.promtool.yaml'
const RULES = 'k8s/components/telemetry/prometheus/alerts.yaml'
const read = (file: string) => parse(readFileSync(join(ROOT, file), 'utf8'))
const withPromtool = test.runIf(spawnSync('promtool', ['--version']).status === 0)
const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })

test('of every alert it is tried that it fires, and that it does not before its time', () => {
  type Case = { alertname: string; exp_alerts: object[] }
  const cases = (read(CASES) as { tests: { alert_rule_test: Case[] }[] }).tests.flatMap((one) => one.alert_rule_test)
  const rules = (read(RULES) as { groups: { rules: { alert: string }[] }[] }).groups.flatMap((group) => group.rules)
  const tried = (fires: boolean) =>
    cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname)
  const all = rules.map(({ alert }) => alert).sort()
  expect({ fires: tried(true).sort(), waits: tried(false).sort() }).toEqual({ fires: all, waits: all })
})

withPromtool('and so it does, by promtool where that is on the path', () => {
  expect(promtool('test', 'rules', CASES)).toContain('SUCCESS')
})

withPromtool.each(['compose/observability/prometheus.yaml', 'k8s/components/telemetry/prometheus/prometheus.yaml'])(
  '%s is a configuration that Prometheus takes, by promtool where that is on the path',
  (file) => {
    expect(promtool('check', 'config', '--syntax-only', file)).toContain('SUCCESS')
  },
)
