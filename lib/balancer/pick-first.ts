// `pick_first`: all calls take one SubConn, which goes through the whole list in order.
// Does not: shuffle, race addresses. Source: grpc-go's pick_first before gRFC A61; sticky
// TRANSIENT_FAILURE as in gRFC A62.
import { Code, type Status } from '../base/status.ts'
import { addressesOf, type ResolverState } from '../naming/index.ts'
import type { Balancer, BalancerBuilder, BalancerClientConn } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { failingPicker, fixedPicker, type Picker, WAITING_PICKER } from './picker.ts'
import type { SubConn, SubConnState } from './sub-conn.ts'

/** Policy `pick_first`. */
export const pickFirst: BalancerBuilder = {
  name: 'pick_first',
  build: (cc) => new PickFirst(cc),
}

const NO_ADDRESSES: Status = {
  code: Code.Unavailable,
  message: 'the name resolver produced no addresses',
}

const NO_CONNECTION: Status = { code: Code.Unavailable, message: 'no connection could be made' }

class PickFirst implements Balancer {
  private readonly cc: BalancerClientConn
  private subConn: SubConn | undefined
  private state: ConnectivityState = ConnectivityState.Idle

  public constructor(cc: BalancerClientConn) {
    this.cc = cc
  }

  public handleResolvedAddrs(resolved: ResolverState): boolean {
    const addresses = addressesOf(resolved.endpoints)
    if (addresses.length === 0) {
      this.dropSubConn()
      this.fail(NO_ADDRESSES)
      return false
    }
    if (this.subConn !== undefined) {
      this.subConn.updateAddresses(addresses)
      return true
    }
    this.subConn = this.cc.newSubConn(addresses)
    // After a failure calls keep failing until there is a connection, gRFC A62.
    if (this.state !== ConnectivityState.TransientFailure) {
      this.publish(ConnectivityState.Connecting, WAITING_PICKER)
    }
    this.subConn.connect()
    return true
  }

  public resolverError(status: Status): void {
    const usable = this.subConn !== undefined && this.state !== ConnectivityState.TransientFailure
    if (!usable) this.fail(status)
  }

  public handleSubConnStateChange(subConn: SubConn, change: SubConnState): void {
    if (subConn !== this.subConn) return
    const failing = this.state === ConnectivityState.TransientFailure
    switch (change.state) {
      case ConnectivityState.Ready:
        this.publish(change.state, fixedPicker({ kind: 'ready', subConn }))
        break
      case ConnectivityState.Connecting:
        if (!failing) this.publish(change.state, WAITING_PICKER)
        break
      case ConnectivityState.Idle:
        if (failing) subConn.connect()
        else this.publish(change.state, connectingPicker(subConn))
        break
      case ConnectivityState.TransientFailure:
        this.fail(change.error)
        break
      case ConnectivityState.Shutdown:
        this.subConn = undefined
    }
  }

  public exitIdle(): void {
    if (this.state === ConnectivityState.Idle) this.subConn?.connect()
  }

  public close(): void {}

  private dropSubConn(): void {
    const { subConn } = this
    this.subConn = undefined
    if (subConn !== undefined) this.cc.removeSubConn(subConn)
  }

  private fail(status: Status = NO_CONNECTION): void {
    this.publish(ConnectivityState.TransientFailure, failingPicker(status))
  }

  private publish(state: ConnectivityState, picker: Picker): void {
    this.state = state
    this.cc.updateBalancerState({ state, picker })
  }
}

/** The first call after a lost connection makes the next one. */
function connectingPicker(subConn: SubConn): Picker {
  return {
    pick(info) {
      subConn.connect()
      return WAITING_PICKER.pick(info)
    },
  }
}
