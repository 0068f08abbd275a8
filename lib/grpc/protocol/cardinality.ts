// The error of a call with none or several messages where exactly one is due, at either side.
// Source: grpc/doc/statuscodes.md, "cardinality violation".
import { Code } from '../../base/status.ts'
import { RpcError } from './rpc-error.ts'

/** `what` came for the method at `path`, as in "no response". */
export function cardinality(what: string, path: string): RpcError {
  return new RpcError(Code.Unimplemented, `${what} for ${path}, want exactly one`, {
    token: 'cardinality',
  })
}
