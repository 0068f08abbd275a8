// A channel, as a resolver sees it, that keeps what it is told.
import { codeName, type Status } from '../../lib/base/status.ts'
import {
  type Address,
  addressesOf,
  endpointsOf,
  type ResolverClientConn,
  type ResolverState,
} from '../../lib/naming/index.ts'

/** A list of addresses per state, a line of text per error. */
export class RecordingConn implements ResolverClientConn {
  public readonly log: (string | readonly string[])[] = []

  public updateState(state: ResolverState): void {
    this.log.push(addressesOf(state.endpoints).map(({ address }) => address))
  }

  public newAddress(addresses: readonly Address[]): void {
    this.updateState({ endpoints: endpointsOf(addresses) })
  }

  public reportError(status: Status): void {
    this.log.push(`${codeName(status.code)}: ${status.message}`)
  }
}
