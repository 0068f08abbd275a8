// The frame layer of HTTP/2, RFC 9113 sections 4, 6, 7 and 11: usable on its own.
export * from './constants.ts'
export { FrameDecoder, type FrameDecoderOptions } from './decoder.ts'
export {
  type DescribeOptions,
  describeFrame,
  FrameDescriber,
  type FrameDescriberOptions,
} from './describe.ts'
export * from './encoder.ts'
export { Http2Error } from './errors.ts'
export type { FrameHandler } from './handler.ts'
