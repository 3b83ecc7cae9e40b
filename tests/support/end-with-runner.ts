import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Ends a process when this one ends, however it ends: for a program that does not watch its standard input. A test
 * runner that is killed can tell nobody, but its pipes close, and a shell waits for that.
 * @param options.group the child leads a group of its own (`detached`), and all of that is to end
 */
export function endWithRunner<Child extends ChildProcess>(child: Child, options: { group?: boolean } = {}): Child {
  const whom = `${options.group ? '-' : ''}${child.pid}`
  // Detached: a Ctrl-C at the terminal is for those whom the child's own end is up to.
  const watch = spawn('sh', ['-c', 'cat; kill -s TERM -- "$0"', whom], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watch.stdin.on('error', () => undefined)
  child.once('exit', () => watch.kill('SIGKILL'))
  return child
}
