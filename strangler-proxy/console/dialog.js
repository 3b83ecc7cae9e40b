/** One dialog for everything that wants a reason. */
import { at, say, show } from './dom.js'

const dialog = at('dialog')
const form = dialog.querySelector('form')
const [cancel, ok] = form.querySelectorAll('button')
let order = null

cancel.addEventListener('click', () => dialog.close())
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const why = form.elements.why.value.trim()
  if (why.length < 3) {
    say(at('dialog-said'), 'Say why, in a few words.')
    form.elements.why.focus()
    return
  }
  ok.disabled = true
  try {
    await order({ why, withoutParity: form.elements.withoutParity.checked })
    dialog.close()
  } catch (error) {
    say(at('dialog-said'), error.message)
  } finally {
    ok.disabled = false
  }
})

/**
 * Asks for a reason.
 * @param options.parity also offer to do without a parity run
 * @param options.send takes `{ why, withoutParity }`; what it throws is shown, and the dialog stays
 */
export function askWhy({ title, text, action, danger = false, parity = false, send }) {
  order = send
  say(at('dialog-title'), title)
  say(at('dialog-text'), text)
  say(ok, action)
  say(at('dialog-said'), '')
  ok.classList.toggle('danger', danger)
  show(at('dialog-parity'), parity)
  form.reset()
  dialog.showModal()
  form.elements.why.focus()
}
