export { describeMistake, type Mistake, MistakesError } from './mistakes.ts'
export { type LineOf, readYaml } from './read.ts'
