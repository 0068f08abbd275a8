import t from 'tap'
import { errorCodeName } from '../../../lib/frame/index.ts'
import { classifyBlock, HalfPhase } from '../../../lib/transport/stream/half-phase.ts'

type PhaseName = keyof typeof HalfPhase

// phase, 1xx, END_STREAM -> kind and next phase, or token and code
const rows: [PhaseName, boolean, boolean, string][] = [
  ['AwaitingHeaders', false, false, 'headers Body'],
  ['AwaitingHeaders', false, true, 'headers Done'],
  ['AwaitingHeaders', true, false, 'informational AwaitingHeaders'],
  ['AwaitingHeaders', true, true, 'informational_with_end_stream PROTOCOL_ERROR'],
  ['Body', false, false, 'trailers_without_end_stream PROTOCOL_ERROR'],
  ['Body', false, true, 'trailers Done'],
  ['Body', true, false, 'informational_after_headers PROTOCOL_ERROR'],
  ['Body', true, true, 'informational_after_headers PROTOCOL_ERROR'],
  ['Done', false, false, 'headers_after_end_stream STREAM_CLOSED'],
  ['Done', false, true, 'headers_after_end_stream STREAM_CLOSED'],
  ['Done', true, false, 'headers_after_end_stream STREAM_CLOSED'],
  ['Done', true, true, 'headers_after_end_stream STREAM_CLOSED'],
]

for (const [phase, informational, endStream, want] of rows) {
  const block = `${informational ? '1xx' : 'block'}${endStream ? ' with END_STREAM' : ''}`
  t.test(`in phase ${phase} a ${block} is ${want}`, (t) => {
    const verdict = classifyBlock(HalfPhase[phase], informational, endStream)
    const nextPhase = Object.keys(HalfPhase)[verdict.phase]
    t.equal(
      verdict.kind === undefined
        ? `${verdict.token} ${errorCodeName(verdict.code)}`
        : `${verdict.kind} ${nextPhase}`,
      want,
    )
    t.equal(verdict.token === undefined, verdict.kind !== undefined)
    t.end()
  })
}
