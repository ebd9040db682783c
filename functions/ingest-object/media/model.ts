/** What is taken for an image, by its content: what a file is called and said to be makes no difference. */
export const imageTypes = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/gif',
  'image/heic',
] as const;

export type ImageType = (typeof imageTypes)[number];

/** When a photograph was taken, by the camera's clock. */
export interface CaptureTime {
  /** `2026-03-29T02:30:00` or with milliseconds: without an offset, for cameras often don't know it. */
  readonly local: string;
  /** Minutes east of UTC, where the file says so. */
  readonly offsetMinutes: number | undefined;
}

export interface Camera {
  readonly make: string | undefined;
  readonly model: string | undefined;
  readonly lens: string | undefined;
}

/** In degrees and metres, WGS 84. */
export interface Location {
  readonly latitude: number;
  readonly longitude: number;
  readonly altitude: number | undefined;
}

/** What is known of an image. */
export interface ImageFacts {
  readonly type: ImageType;
  /** As it is to be looked at: turned as its EXIF orientation says. */
  readonly width: number;
  readonly height: number;
  /** More than one of an animation, of which the first is shown. */
  readonly frames: number;
  readonly captured: CaptureTime | undefined;
  readonly camera: Camera;
  readonly location: Location | undefined;
  /** ThumbHash: about 25 bytes that a page shows until the image is there. */
  readonly placeholder: Buffer;
  /** What of it could not be read, for people: `EXIF date 0000:00:00 00:00:00`. */
  readonly doubts: readonly string[];
}

export interface RenderedPreview {
  /** Its file: `thumbnail.jpg`, `400.webp`; of a HEIC also `full.jpg`. */
  readonly file: string;
  readonly contentType: 'image/jpeg' | 'image/webp' | 'image/png';
  readonly width: number;
  readonly height: number;
  readonly content: Buffer;
}

/** A preview that is in the bucket, as the row has it. */
export interface StoredPreview {
  readonly object: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}
