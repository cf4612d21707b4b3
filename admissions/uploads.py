"""A file that is too big is dropped while it arrives, before it fills a disk."""

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from admissions import documents


class DropTooBig(FileUploadHandler):
    """First in line: counts what arrives. `too_big`: names of the form fields whose file was dropped."""

    def __init__(self, request=None):
        super().__init__(request)
        self.too_big: set[str] = set()
        self.arrived = 0

    def new_file(self, *args, **kwargs):
        super().new_file(*args, **kwargs)
        self.arrived = 0

    def receive_data_chunk(self, raw_data, start):
        self.arrived += len(raw_data)
        if self.arrived > documents.SIZE_MAX:
            self.too_big.add(self.field_name)
            raise SkipFile
        return raw_data

    def file_complete(self, file_size):
        return None
