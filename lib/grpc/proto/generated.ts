// Functions made of text, one for each message type: they name its properties, so that the engine
// knows the shape of its messages. protobufjs does the same.

/** Makes the function that `body` returns; the text sees `values` by their names. */
export function generate<F>(
  typeName: string,
  values: Readonly<Record<string, unknown>>,
  body: string,
): F {
  try {
    // Names of a .proto file stand in the text as literals only, so a file cannot become code.
    return new Function(...Object.keys(values), `'use strict'\n${body}`)(...Object.values(values))
  } catch (error) {
    if (!(error instanceof EvalError)) throw error
    throw new Error(
      `${typeName}: got a process that forbids code from strings (--disallow-code-generation-from-strings), want one that allows it: message codecs are compiled when first used`,
      { cause: error },
    )
  }
}

/** A name as a literal of generated text. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}
