/**
 * What a document says that this build does not know, as bytes: decoded, one of them takes up to a hundred and seventy. It is
 * part of the signed bytes, so whoever encodes the document again must give it back.
 */
export type Extra = Uint8Array & { readonly extra: true }
