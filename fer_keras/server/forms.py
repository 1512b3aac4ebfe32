"""Files of a multipart form, held in memory: never in a temporary file, and no more of them than agreed."""

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fer_keras.server.limits import Limits
from fer_keras.server.uploads import Refused

#: Fields that are no files; they are not read.
_MOST_FIELDS = 100
_LONGEST_NAME = 200


async def form_files(request: Request, names: tuple[str, ...], limits: Limits) -> list[tuple[str, bytes]]:
    """Return (name, content) of the files that a form sends under these names, in order.

    Raises:
        Refused: 413 for too many files, 422 for a form that cannot be read.
    """
    parser = MultiPartParser(
        request.headers, request.stream(), max_files=limits.images, max_fields=_MOST_FIELDS, max_part_size=100_000
    )
    parser.spool_max_size = limits.bytes + 1  # a form of the largest size stays in memory
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise Refused(413, f"Expected at most {limits.images} images. Received: more.") from error
        raise Refused(422, f"Unreadable form: {error.message}") from error
    except FormParserError as error:  # older versions of Starlette let it through
        raise Refused(422, "Unreadable form: Invalid multipart data.") from error
    except UnicodeError as error:  # a charset of Python's that is none for names
        raise Refused(422, "Unreadable form: bad charset.") from error
    try:
        files = [value for key, value in form.multi_items() if key in names and isinstance(value, UploadFile)]
        return [((file.filename or "")[:_LONGEST_NAME], await file.read()) for file in files]
    finally:
        await form.close()
