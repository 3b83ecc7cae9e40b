/** Before each file of tests that are pure: the stack that runs beside them, under shoppers, goes first. */
import { setPriority } from 'node:os'

// A third of what another gets who wants the processor as well: with less, a busy machine would starve them.
setPriority(5)
