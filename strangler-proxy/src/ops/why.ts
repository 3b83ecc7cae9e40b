import { storableText } from '@banyan/kit/service'

/** Why somebody does something, for the audit. What its table cannot keep would fail there, when it is done already. */
export const why = storableText(0, 500)
