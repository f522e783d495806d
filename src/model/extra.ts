/**
 * Names of a document that this build does not know, kept as they were decoded. They are part of the signed
 * bytes, so whoever encodes the document again must give them back.
 */
export type Extra = Readonly<Record<string, unknown>>
