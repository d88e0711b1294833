export {
  type PairmintRequestHandler,
  pairmintRequestHandler,
  type SdkAbortSignal,
  type SdkHandlerOptions,
  type SdkRequest,
  type SdkResponse,
} from './request-handler.ts';
