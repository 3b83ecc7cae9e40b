/** Ends this process with the benchmark that started it. */
export function lifeline(): void {
  process.stdin.on('end', () => process.exit(0))
  process.stdin.resume()
}
