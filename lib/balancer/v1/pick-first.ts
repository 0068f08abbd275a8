// Gives all calls one connection, which goes to any address of the list: the turns of `RoundRobinV1`
// over addresses that share it. Source: grpc-go pickfirst.go (2018).
import { RoundRobinV1 } from './round-robin.ts'

/** See above. */
export class PickFirstV1 extends RoundRobinV1 {
  public readonly sharesConnection = true
}
