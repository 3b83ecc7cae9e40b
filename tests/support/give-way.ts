/** Before each file of tests that are pure: the stack that runs beside them, under shoppers, goes first. */
import { constants, setPriority } from 'node:os'

setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
