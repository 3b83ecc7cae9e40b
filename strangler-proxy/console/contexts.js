/** The list of contexts: rows are made once, so that what has the focus keeps it while pictures come in. */
import { contextRow } from './context-row.js'
import { at, say, show } from './dom.js'

let rows = new Map()

export function forgetContexts() {
  rows = new Map()
  at('contexts').replaceChildren()
}

export function showContexts(state, mayAct) {
  say(at('shares'), state.flags.why ?? '')
  show(at('shares'), state.flags.why !== null)
  for (const context of state.contexts) {
    let row = rows.get(context.context)
    if (row === undefined) {
      row = contextRow(context.context, mayAct)
      rows.set(context.context, row)
      at('contexts').append(row.element)
    }
    row.update(state, context)
  }
}
