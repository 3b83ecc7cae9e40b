/** Synthetic shoppers as persons: each does one thing at a time, has an account, a session and some orders. */
import type { Session } from './shop-client.ts'

export type Person = {
  email: string
  password: string
  session: Session
  /** When the access token has to be renewed, by this machine's clock in milliseconds. */
  loggedInUntil: number
  refreshToken?: string
  orders: number[]
  busy: boolean
}

const PASSWORD = 'a shopper of the tour'
const FIRST = ['ada', 'grace', 'alan', 'edsger', 'barbara', 'donald', 'margaret', 'niklaus', 'radia', 'tony']

/** @returns A person without an account yet. */
export function newPerson(run: string, number: number): Person {
  const name = FIRST[number % FIRST.length]
  return {
    email: `${name}.${number}.${run}@shopper.example`,
    password: PASSWORD,
    session: { cookies: new Map() },
    loggedInUntil: 0,
    orders: [],
    busy: false,
  }
}
