/**
 * Loaded ahead of everything into the Node processes of a world: the time that they read is `CLOCK_SHIFT_MS` ahead of
 * the true one. Timers and `performance.now()` measure spans, and go on as they are.
 */
const shiftMs = Number(process.env.CLOCK_SHIFT_MS)
if (!Number.isSafeInteger(shiftMs)) throw new Error('CLOCK_SHIFT_MS must be a whole number of milliseconds')

const TrueDate = Date
const trueNow = TrueDate.now
TrueDate.now = () => trueNow() + shiftMs

// A subclass could not be called without `new`, and dates made by the engine would be none of its instances.
const ShiftedDate = new Proxy(TrueDate, {
  construct: (target, args, made) => Reflect.construct(target, args.length > 0 ? args : [target.now()], made),
  apply: (target) => new target(target.now()).toString(),
})
TrueDate.prototype.constructor = ShiftedDate
globalThis.Date = ShiftedDate
