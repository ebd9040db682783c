/** As much as is used of libheif's own bindings, by its names. */
declare module 'libheif-js/wasm-bundle.js' {
  /** Numbers and objects of the library's, not of ours. */
  type Context = object;
  type Handle = object;
  type Choice = object;

  interface Failure {
    readonly code: unknown;
    readonly message?: string;
  }

  interface Plane {
    readonly id: Choice;
    readonly width: number;
    readonly height: number;
    /** Bytes of a row, which may be more than its pixels need. */
    readonly stride: number;
    /** In the library's memory. */
    readonly data: Uint8Array;
  }

  const libheif: {
    readonly ready?: Promise<unknown>;
    readonly heif_error_code: { readonly heif_error_Ok: unknown };
    readonly heif_colorspace: { readonly heif_colorspace_RGB: Choice };
    readonly heif_chroma: {
      readonly heif_chroma_interleaved_RGB: Choice;
      readonly heif_chroma_interleaved_RGBA: Choice;
    };
    readonly heif_channel: { readonly heif_channel_interleaved: Choice };
    heif_context_alloc(): Context;
    heif_context_read_from_memory(context: Context, content: Uint8Array): Failure;
    heif_js_context_get_primary_image_handle(context: Context): Handle | Failure;
    heif_image_handle_get_width(handle: Handle): number;
    heif_image_handle_get_height(handle: Handle): number;
    heif_image_handle_has_alpha_channel(handle: Handle): number;
    heif_js_decode_image2(
      handle: Handle,
      colours: Choice,
      chroma: Choice,
    ):
      | Failure
      | { readonly channels: readonly Plane[] }
      | Promise<Failure | { readonly channels: readonly Plane[] }>;
  };
  export default libheif;
}
