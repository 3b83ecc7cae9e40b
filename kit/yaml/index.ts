export { describeMistake, type Mistake, MistakesError } from './mistakes.ts'
export { type LineOf, type Path, readYaml } from './read.ts'
