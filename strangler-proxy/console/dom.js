/** The few things that the page does with its document. */

/** The element of that id, which index.html has. */
export const at = (id) => document.getElementById(id)

/**
 * Makes an element.
 * @param tag `p`, or with classes `p.note.bad`
 * @param props properties, and attributes where the name has a hyphen; `on…` listens
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.')
  const element = document.createElement(name)
  if (classes.length > 0) element.className = classes.join(' ')
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (key.includes('-')) element.setAttribute(key, value)
    else element[key] = value
  }
  element.append(...children.filter((child) => child !== null))
  return element
}

/** Sets a text, and touches the document only where it differs: what is selected, or being read out, stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible
}

/** Sets children, and only where what they stand for has changed. */
export function fill(element, key, make) {
  const wanted = JSON.stringify(key)
  if (element.dataset.key === wanted) return
  element.dataset.key = wanted
  element.replaceChildren(...make())
}
