export {
  createHandler,
  type Handler,
  type HandlerOptions,
  type RequestEvent,
} from './http/handler.ts';
export {
  type HeaderFields,
  type HttpAnswer,
  type HttpRequest,
  headerFields,
  type RequestHead,
} from './http/message.ts';
export type { Measured, MeasuredServer, Metrics, Snapshot } from './http/metrics.ts';
export {
  createMetrics,
  createServer,
  type Limits,
  type ListenOptions,
  type PairmintServer,
  type ServerOptions,
  type TlsFiles,
} from './http/server.ts';
export type { Actor, Service } from './http/service.ts';
