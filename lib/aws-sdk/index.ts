export {
  type PairmintRequestHandler,
  pairmintRequestHandler,
  type SdkHandlerOptions,
  type SdkRequest,
  type SdkResponse,
} from './request-handler.ts';
