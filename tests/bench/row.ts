/** One line of the benchmark's table: a figure beside the yardstick that was measured in the same run. */
export interface Row {
  /** What was measured, in words. */
  figure: string
  value: number
  unit: string
  /** What it stands beside, in words; empty where the figure is only reported. */
  yardstick: string
  /** value ÷ the yardstick's value: the part of a figure that holds on another machine. */
  ratio: number | null
  /** What the ratio, or the value, has to reach; null where it is only reported. */
  target: string | null
  ok: boolean | null
}

/** The middle of an odd number of rounds, the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('median: no values; a benchmark has to run at least one round')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
