"""Files that people send, stopped while they arrive: the disk never holds what is too big."""

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class DropTooBig(FileUploadHandler):
    """First in line, before the body is read. `too_big`: names of the form fields whose file was dropped."""

    def __init__(self, request, *, size_max: int):
        super().__init__(request)
        self.size_max, self.arrived = size_max, 0
        self.too_big: set[str] = set()

    def new_file(self, *args, **kwargs):
        super().new_file(*args, **kwargs)
        self.arrived = 0

    def receive_data_chunk(self, raw_data, start):
        self.arrived += len(raw_data)
        if self.arrived > self.size_max:
            self.too_big.add(self.field_name)
            raise SkipFile
        return raw_data

    def file_complete(self, file_size):
        return None
