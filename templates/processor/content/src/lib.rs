//! Pictures become smaller ones.

#[rustfmt::skip]
mod erp;

use std::io::Cursor;

use erp::{Error, Fields, Request, Response, Result, refuse};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader};

/// Width and height of what comes out, where nothing else is asked for.
const USUAL_SIZE: u32 = 128;
/// Pixels that the fuel of a call is enough for.
const MOST_PIXELS: u64 = 2_000_000;

pub struct Plugin;

impl erp::Plugin for Plugin {}

impl erp::Processor for Plugin {
    fn validate(request: &Request) -> Result<()> {
        let wanted = Wanted::read(request)?;
        size_of(&request.input, wanted.from).map(|_| ())
    }

    fn process(request: Request) -> Result<Response> {
        let wanted = Wanted::read(&request)?;
        let (width, height) = size_of(&request.input, wanted.from)?;
        let picture = image::load_from_memory_with_format(&request.input, wanted.from)
            .map_err(bad_picture)?;
        let mut warnings = Vec::new();
        let picture = if width <= wanted.width && height <= wanted.height {
            warnings.push(format!("the picture is {width} × {height} already"));
            picture
        } else {
            picture.thumbnail(wanted.width, wanted.height)
        };
        erp::log::info(&format!(
            "{width} × {height} became {} × {}",
            picture.width(),
            picture.height()
        ));
        let output = encode(&picture, wanted.to)?;
        Ok(Response {
            output,
            content_type: wanted.to.to_mime_type().to_owned(),
            items_processed: 1,
            warnings,
        })
    }
}

/// What a request asks for.
struct Wanted {
    from: ImageFormat,
    to: ImageFormat,
    width: u32,
    height: u32,
}

impl Wanted {
    fn read(request: &Request) -> Result<Wanted> {
        let known = |mime: &str| match mime {
            "image/png" => Some(ImageFormat::Png),
            "image/jpeg" => Some(ImageFormat::Jpeg),
            _ => None,
        };
        // `image/png; charset=binary` is a PNG too.
        let media_type = request
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let from = known(media_type).ok_or_else(|| {
            refuse(
                "picture.unknown_type",
                format!("`{}` is neither PNG nor JPEG", request.content_type),
            )
        })?;
        let options = Fields::parse(&request.options)?;
        if let Some(other) = options
            .0
            .keys()
            .find(|key| !["width", "height", "format"].contains(&key.as_str()))
        {
            return Err(refuse(
                "picture.unknown_option",
                format!("there is no option `{other}`"),
            ));
        }
        let size = |key: &str| {
            Ok::<u32, Error>(
                options
                    .get::<Option<u32>>(key)?
                    .unwrap_or(USUAL_SIZE)
                    .max(1),
            )
        };
        let format: Option<String> = options.get("format")?;
        let to = match format.as_deref() {
            None => from,
            Some(format) => known(&format!("image/{format}")).ok_or_else(|| {
                refuse(
                    "picture.unknown_type",
                    format!("`format` is png or jpeg, not {format}"),
                )
            })?,
        };
        Ok(Wanted {
            from,
            to,
            width: size("width")?,
            height: size("height")?,
        })
    }
}

/// Width and height as the head of the file says, before anything is decoded.
fn size_of(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32)> {
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format)
        .into_dimensions()
        .map_err(bad_picture)?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(refuse(
            "picture.too_large",
            format!("{width} × {height} are more than {MOST_PIXELS} pixels"),
        ));
    }
    Ok((width, height))
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>> {
    let mut output = Cursor::new(Vec::new());
    let written = if format == ImageFormat::Jpeg {
        let quality = erp::settings::jpeg_quality()?.try_into().unwrap_or(80_u8);
        // JPEG knows no transparency.
        picture
            .to_rgb8()
            .write_with_encoder(JpegEncoder::new_with_quality(
                &mut output,
                quality.clamp(1, 100),
            ))
    } else {
        picture.write_to(&mut output, format)
    };
    written.map_err(bad_picture)?;
    Ok(output.into_inner())
}

fn bad_picture(error: image::ImageError) -> Error {
    refuse("picture.unreadable", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::erp::{Processor, mock};
    use super::*;

    fn request(options: &str) -> Request {
        let mut input = Cursor::new(Vec::new());
        let written = DynamicImage::new_rgb8(64, 32).write_to(&mut input, ImageFormat::Png);
        assert!(written.is_ok());
        Request {
            input: input.into_inner(),
            content_type: "image/png".to_owned(),
            options: options.to_owned(),
        }
    }

    #[test]
    fn a_picture_keeps_its_shape() -> Result<()> {
        mock::start();
        let small = Plugin::process(request(r#"{ "width": 16 }"#))?;
        assert_eq!(size_of(&small.output, ImageFormat::Png)?, (16, 8));
        Ok(())
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let bad = Request {
            input: b"text".to_vec(),
            ..request("{}")
        };
        assert_eq!(
            Plugin::validate(&bad).map_err(|error| error.code),
            Err("picture.unreadable".to_owned())
        );
    }
}
