/** A Python that has what the service in Python imports. */
import { spawnSync } from 'node:child_process'
import { installPackages } from '../../compose/embedded/debian-packages.ts'

/** Debian's packages of them; extracted/shipping-service-python/requirements.txt names them for pip. */
const PACKAGES = ['python3-psycopg2', 'python3-pika', 'python3-jwt', 'python3-cryptography']
/** The first of the PATH may be one that does not see Debian's packages. */
const PLACES = ['python3', '/usr/bin/python3']

/** @returns the interpreter's path, or nothing where there is none, or what it needs cannot be had */
export function findPython(): string | undefined {
  const found = () => PLACES.find((place) => runs(place, 'import cryptography, jwt, pika, psycopg2'))
  if (!PLACES.some((place) => runs(place, 'import sys'))) return undefined
  if (!found()) installPackages(PACKAGES, (line) => console.error(`python: ${line}`))
  return found()
}

function runs(python: string, program: string): boolean {
  return spawnSync(python, ['-c', program], { stdio: 'ignore', timeout: 20_000 }).status === 0
}
