"""Decodes one JPEG image with GDCM, in a process of its own: from stdin, to stdout.

GDCM ends its process on some damaged images, so that must not be the labelling server or a training. The file is run
by its path and imports nothing else, so that it starts in a tenth of a second.

    python gdcm_worker.py TRANSFER_SYNTAX COLUMNS ROWS SAMPLES BITS
"""

import sys

PART = 1 << 22


def main() -> None:
    import gdcm

    # Its messages about damage go to stderr, where the caller finds them.
    gdcm.Trace.DebugOff()
    gdcm.Trace.WarningOff()
    syntax = sys.argv[1]
    columns, rows, samples, bits = map(int, sys.argv[2:])
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    # Three samples are declared RGB whatever they are, and the sign is left out: the cells are wanted as they are.
    kind = gdcm.PhotometricInterpretation.GetPIType("RGB" if samples == 3 else "MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(samples, 8 if bits <= 8 else 16, bits, bits - 1, 0))
    # SWIG hands bytes over as a string.
    samples_as_text = image.GetBuffer()
    for start in range(0, len(samples_as_text), PART):
        sys.stdout.buffer.write(samples_as_text[start : start + PART].encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()
