// The error of metadata that cannot be sent. Apart from RpcError, which carries metadata itself.
import { Code } from '../../base/status.ts'

/** Metadata broke a rule for sending; `token` names the rule. A call that meets it ends with `code`. */
export class MetadataError extends Error {
  public readonly token: string
  public readonly code: Code

  public constructor(token: string, message: string, code: Code = Code.Internal) {
    super(message)
    this.name = 'MetadataError'
    this.token = token
    this.code = code
  }
}
