// Which of the messages that came were compressed: calls do not tell, observers hear it.
import type { RpcEvent, RpcTag, StatsHandler } from '../../lib/grpc/index.ts'

/** A stats handler of a server or a channel that remembers it for as long as the messages live. */
export class CompressedMessages implements StatsHandler {
  private readonly messages = new WeakSet<object>()

  public handleRpc(_tag: RpcTag, event: RpcEvent): void {
    if (event.kind === 'inPayload' && event.compressed) this.messages.add(event.message as object)
  }

  /** Whether the message, which is the very object that the call gave, was compressed. */
  public has(message: object): boolean {
    return this.messages.has(message)
  }
}
