/**
 * The tour with a process killed in every chapter, while a block of it runs, and started again at once. Blocks are run
 * as by somebody who sees the process go: a command that failed of it is given again when the process is back.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stack } from '../embedded/stack.ts'
import { type Places, readHoldings } from '../ledger/held.ts'
import { lettersInHand } from '../ledger/letters-in-hand.ts'
import { MONOLITH, servicesOf } from '../provision/services.ts'
import { isFailure, type Measure, type Seen } from '../shoppers/measure.ts'
import { wasDone } from './chaos-again.ts'
import { type ChaosMoment, momentOf } from './chaos-plan.ts'
import { type Absence, failedAt, isAt } from './chaos-toll.ts'
import { type Chapter, executed } from './playbook.ts'
import type { ChaosReport } from './report.ts'
import { type BlockOptions, type BlockResult, runBlock } from './run-block.ts'

export type Chaos = {
  /** The seed says for this chapter what will die, and when. */
  begin(chapter: Chapter): void
  /** Runs a block line by line: what was done before a failure is not done twice. */
  run(step: string, block: string, options: BlockOptions): Promise<BlockResult>
  /** Nobody gets away: what has not happened by now happens here. */
  end(): Promise<void>
  /** Of the events of these one e-mail may be there twice. */
  readonly lettersInHand: ReadonlySet<string>
  /** Failures that no kill answers for. */
  unexplained(): Seen[]
  report(places: Places): Promise<ChaosReport>
}

/** In a chapter's last block there is no later one to leave the time to. */
const LAST_BLOCK_MS = 300
/** A dead process's leases and locks stand for some seconds; a command that meets them is refused, and says so. */
const ITS_TRACES_MS = 15_000
const MOST_TIMES = 5
const PAUSE_MS = 3_000

/** @param seed any text; the same one chooses the same moments and, where the same processes run, the same victims */
export function startChaos(seed: string, stack: Stack, measure: Measure): Chaos {
  const kills: (Absence & { stage: string; step: string })[] = []
  const givenAgain: ChaosReport['givenAgain'] = []
  const letters = new Set<string>()
  const failures: Seen[] = []
  measure.listen((seen) => {
    if (isFailure(seen)) failures.push(seen)
  })
  const services = servicesOf(stack.facts.stage)
  const names = [MONOLITH.name, 'proxy', 'mover', ...services.map((row) => row.name)]
  /** The database in which a process keeps the letters that it sends. */
  const desks: Record<string, string> = { [MONOLITH.name]: 'shop', 'notification-service': 'notifications' }
  let place = { stage: '', step: '' }
  let next: (ChaosMoment & { blocksLeft: number; leftMs: number }) | undefined
  let striking: Promise<void> | undefined

  const strike = async ({ victim }: ChaosMoment) => {
    const running = stack.running()
    const process = victim(names.filter((name) => running.includes(name)))
    const context = services.find((row) => row.name === process)?.context
    const killed = { ...place, process, context, from: Date.now(), until: Number.POSITIVE_INFINITY }
    kills.push(killed)
    console.log(`      (${process} is killed)`)
    await stack.kill(process)
    const desk = desks[process]
    if (desk) for (const event of await lettersInHand(stack.databases.side(desk).owner)) letters.add(event)
    await stack.restart(process)
    killed.until = Date.now()
    console.log(`      (${process} is back after ${killed.until - killed.from} ms)`)
  }
  const strikeNow = () => {
    const moment = next
    next = undefined
    if (moment) striking = strike(moment)
    // It is waited for at the end of the block; until then nobody listens.
    striking?.catch(() => undefined)
  }
  /** While a block runs its time passes. @returns ends that, and waits for whoever was killed */
  const duringBlock = () => {
    if (!next) return async () => undefined
    next.blocksLeft -= 1
    if (next.block > 0) {
      next.block -= 1
      return async () => undefined
    }
    const begun = Date.now()
    if (next.blocksLeft === 0) next.leftMs = Math.min(next.leftMs, LAST_BLOCK_MS)
    const timer = setTimeout(strikeNow, next.leftMs)
    return async () => {
      clearTimeout(timer)
      if (next) next.leftMs -= Date.now() - begun
      await striking
    }
  }
  const wasMet = (begun: number) => kills.some(({ until }) => until + ITS_TRACES_MS > begun)

  return {
    lettersInHand: letters,
    begin(chapter) {
      const blocks = chapter.steps.flatMap(executed).length
      const moment = momentOf(seed, chapter.name, blocks)
      place = { stage: chapter.name, step: '' }
      next = { ...moment, blocksLeft: blocks, leftMs: moment.afterMs }
    },
    async run(step, block, options) {
      place = { ...place, step }
      const over = duringBlock()
      const whole: BlockResult = { code: 0, output: '', seconds: 0 }
      for (const command of block.split('\n')) {
        for (let times = 1; ; times += 1) {
          const begun = Date.now()
          const { code, output, seconds } = await runBlock(command, options)
          whole.code = times > 1 && wasDone(output) ? 0 : code
          whole.output += output
          whole.seconds += seconds
          if (whole.code === 0 || times === MOST_TIMES || !wasMet(begun)) break
          await striking
          await sleep(PAUSE_MS)
          givenAgain.push({ ...place, command })
          options.show(`(again: ${command})\n`)
        }
        if (whole.code !== 0) break
      }
      await over()
      whole.seconds = Math.round(whole.seconds * 100) / 100
      return whole
    },
    async end() {
      strikeNow()
      await striking
    },
    unexplained: () => failures.filter((seen) => !kills.some((kill) => isAt(kill, seen))),
    async report(places) {
      const { mails } = await readHoldings(places)
      return {
        seed,
        kills: kills.map((kill) => {
          const { stage, step, process, from, until } = kill
          const at = new Date(from).toISOString()
          return { stage, step, process, at, awayMs: until - from, failedAtIt: failedAt(kill, failures) }
        }),
        givenAgain,
        emailsRepeated: [...letters].filter((event) => (mails.get(event) ?? 0) > 1).length,
      }
    },
  }
}
