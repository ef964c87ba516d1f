"""Recordings -> files of every format, each with a person's name and numbers in every place the format has for them."""

import base64
import binascii
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pydicom
import scipy.io
import wfdb
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from ecgwas.config import LEADS

NAME, NUMBER, BORN = "Zzyzxplanted", "7340119", "19530508"  # must never leave a reader
EIGHT = [0, 1, 6, 7, 8, 9, 10, 11]  # the leads MUSE stores
LEADS_SCP = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64} | {f"V{k}": k + 2 for k in range(1, 7)}


def write_wfdb(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """A record in format 16 with comments about the person."""
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        d_signal=counts.T.astype(np.int64),
        fmt=["16"] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        comments=[f"Name: {NAME}", "Age: 61", f"Id: {NUMBER}"],
        write_dir=str(folder),
    )


def write_cardiosoft(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """CardioSoft XML with 5 µV per count, the layout of UK Biobank field 20205."""
    rows = [",".join(map(str, row)) for row in np.rint(counts / 5).astype(int)]
    waves = "\r\n".join(
        f'<WaveformData lead="{lead}">\t{row}</WaveformData>' for lead, row in zip(LEADS, rows, strict=True)
    )
    shape = f"<NumberOfLeads>12</NumberOfLeads><SampleRate units='Hz'>{rate_hz:g}</SampleRate>"
    shape += "<ChannelSampleCountTotal>{n}</ChannelSampleCountTotal><Resolution units='uVperLsb'>5</Resolution>"
    beat = "\r\n".join(
        f'<WaveformData lead="{lead}">{",".join(row.split(",")[:600])}</WaveformData>'
        for lead, row in zip(LEADS, rows, strict=True)
    )
    amplitudes = ", ".join(str(100 + k) for k in range(11)) + ", "
    (folder / f"{name}.xml").write_text(
        f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<CardiologyXML><ObservationType>RestECG</ObservationType>
<ObservationDateTime><Hour>14</Hour><Minute>19</Minute><Second>39</Second><Day>19</Day><Month>7</Month><Year>2018</Year>
</ObservationDateTime>
<ClinicalInfo><Technician><FamilyName>{NAME}</FamilyName></Technician>
<DeviceInfo><Desc>CardioSoft</Desc><SoftwareVer>V6.73</SoftwareVer><AnalysisVer>12SL V21</AnalysisVer></DeviceInfo></ClinicalInfo>
<PatientInfo><PID>{NUMBER}</PID><Name><FamilyName>{NAME}</FamilyName><GivenName>{NAME}</GivenName></Name>
<BirthDateTime><Day>8</Day><Month>5</Month><Year>1953</Year></BirthDateTime></PatientInfo>
<FilterSetting><LowPass units="Hz">100</LowPass><HighPass units="Hz">0.01</HighPass></FilterSetting>
<Interpretation><Diagnosis><DiagnosisText>Sinus rhythm</DiagnosisText><DiagnosisText>Known {NAME} pattern</DiagnosisText>
<DiagnosisText>Confirmed by Dr {NAME}</DiagnosisText><DiagnosisText>---</DiagnosisText></Diagnosis></Interpretation>
<RestingECGMeasurements><VentricularRate units="BPM">50</VentricularRate><PQInterval units="ms">174</PQInterval>
<QRSDuration units="ms">92</QRSDuration><QTInterval units="ms">440</QTInterval><PAxis>56</PAxis>
<MeasurementTable Creation="12SL"><LeadOrder>{", ".join(LEADS)}</LeadOrder><RAmplitude units="uV">{amplitudes}</RAmplitude>
</MeasurementTable>
<MedianSamples>{shape.format(n=600)}{beat}</MedianSamples></RestingECGMeasurements>
<StripData>{shape.format(n=counts.shape[1])}{waves}
<ArrhythmiaResults><Time units="ms">800</Time><BeatClass>dominant</BeatClass></ArrhythmiaResults></StripData>
<FullDisclosure><FullDisclosureData>0,0</FullDisclosureData></FullDisclosure>
</CardiologyXML>""".replace("\n", "\r\n"),
        encoding="latin-1",
    )


def write_muse(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """MUSE XML with eight leads of 5 µV per count, a DOCTYPE and checksums."""
    leads = ""
    for k in EIGHT:
        data = np.rint(counts[k] / 5).astype("<i2").tobytes()
        leads += f"""<LeadData><LeadByteCountTotal>{len(data)}</LeadByteCountTotal>
<LeadSampleCountTotal>{counts.shape[1]}</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>5</LeadAmplitudeUnitsPerBit>
<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadID>{LEADS[k]}</LeadID><LeadSampleSize>2</LeadSampleSize>
<LeadDataCRC32>{zlib.crc32(data)}</LeadDataCRC32><WaveFormData>{base64.encodebytes(data).decode()}</WaveFormData></LeadData>"""
    said = "".join(
        f"<DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag><StmtText>{text}</StmtText></DiagnosisStatement>"
        for text in ("Sinus rhythm", f"Confirmed by {NAME}, X. ({NUMBER})", f"As in {NAME}")
    )
    (folder / f"{name}.xml").write_text(
        f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG><MuseInfo><MuseVersion>9.0</MuseVersion></MuseInfo>
<PatientDemographics><PatientID>{NUMBER}</PatientID><PatientLastName>{NAME}</PatientLastName>
<DateofBirth>05-08-1953</DateofBirth></PatientDemographics>
<TestDemographics><AcquisitionDate>01-19-2010</AcquisitionDate><AcquisitionTime>15:19:22</AcquisitionTime>
<AcquisitionDevice>MAC55</AcquisitionDevice><OverreaderLastName>{NAME}</OverreaderLastName></TestDemographics>
<RestingECGMeasurements><VentricularRate>48</VentricularRate><PRInterval>138</PRInterval><QRSDuration>96</QRSDuration>
<QTInterval>452</QTInterval><POnset>147</POnset><POffset>200</POffset><ECGSampleBase>500</ECGSampleBase></RestingECGMeasurements>
<Diagnosis>{said}</Diagnosis>
<Waveform><WaveformType>Rhythm</WaveformType><NumberofLeads>8</NumberofLeads><SampleBase>{rate_hz:g}</SampleBase>
<SampleExponent>0</SampleExponent><HighPassFilter>16</HighPassFilter><LowPassFilter>150</LowPassFilter>{leads}</Waveform>
</RestingECG>""",
        encoding="latin-1",
    )


def lzw(data: bytes, bits: int = 10) -> bytes:
    """LZW with codes of fixed width, most significant bit first, the table never reset."""
    table, codes, current = {bytes([k]): k for k in range(256)}, [], b""
    for byte in data:
        longer = current + bytes([byte])
        if longer in table:
            current = longer
            continue
        codes.append(table[current])
        if len(table) <= (1 << bits) - 2:
            table[longer] = len(table)
        current = bytes([byte])
    codes.append(table[current])
    text = "".join(f"{code:0{bits}b}" for code in codes)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def xli(samples: np.ndarray) -> bytes:
    """One chunk of Philips' XLI of int [sample]: two samples, second differences + 64 one late, bytes split, LZW."""
    bends = -np.diff(samples.astype(int), 2)
    stored = np.concatenate([samples[:2], bends[1:] + 64, [64]]).astype(np.int16).view(np.uint16)
    data = lzw(bytes((stored >> 8).astype(np.uint8)) + bytes((stored & 255).astype(np.uint8)))
    return struct.pack("<iHh", len(data), 1, int(bends[0])) + data


def residuals(counts: np.ndarray) -> np.ndarray:
    """[12, sample] with the limb leads replaced by what is left of the sums of I and II."""
    one, two, three, avr, avl, avf = counts[:6].astype(int)
    out = counts.astype(int)
    out[2:6] = [two - one - three, -avr - (one + two) // 2, (one - three) // 2 - avl, (two + three) // 2 - avf]
    return out


def write_philips(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500, compress: bool = True) -> None:
    """Philips XML 1.04 with 5 µV per count, compressed or plain."""
    small = np.rint(counts / 5).astype(int)
    data = b"".join(xli(row) for row in residuals(small)) if compress else small.astype("<i2").tobytes()
    method = 'compression="XLI"' if compress else ""
    (folder / f"{name}.xml").write_text(
        f"""<?xml version="1.0" encoding="utf-16"?>
<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>
<documenttype>PhilipsECG</documenttype><documentversion>1.04</documentversion></documentinfo>
<dataacquisition date="2010-01-19" time="15:19:22"><machine machineid="EKG{NUMBER}">PageWriter Touch</machine>
<acquirer><operatorid>{NAME}</operatorid></acquirer>
<signalcharacteristics><samplingrate>{rate_hz:g}</samplingrate><resolution>5</resolution><hipass>0.05</hipass>
<lowpass>150</lowpass><acquisitiontype>STD-12</acquisitiontype>
<numberchannelsallocated>12</numberchannelsallocated></signalcharacteristics></dataacquisition>
<patient><generalpatientdata><patientid>{NUMBER}</patientid><name><lastname>{NAME}</lastname></name>
<age><dateofbirth>1953-05-08</dateofbirth></age></generalpatientdata></patient>
<interpretations><interpretation><globalmeasurements><heartrate>84</heartrate><print>144</print><qrsdur>84</qrsdur>
<qtint>352</qtint></globalmeasurements><mdsignatureline>Confirmed by {NAME}</mdsignatureline>
<statement><leftstatement>SINUS RHYTHM</leftstatement><rightstatement>normal P axis</rightstatement></statement>
<statement><leftstatement>REVIEWED BY {NAME}</leftstatement></statement></interpretation></interpretations>
<waveforms><parsedwaveforms dataencoding="Base64" {method} numberofleads="12" leadlabels="{" ".join(LEADS)}"
durationperchannel="{1000 * counts.shape[1] / rate_hz:.0f}">{base64.encodebytes(data).decode()}</parsedwaveforms></waveforms>
</restingecgdata>""",
        encoding="utf-16",
    )


def write_aecg(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500, starts: dict | None = None) -> None:
    """HL7 aECG with 5 µV per count; `starts` (second -> rows) writes leads one after the other, as a print does."""
    sets = ""
    for second, rows in (starts or {0: range(12)}).items():
        sets += f"""<component><sequenceSet><component><sequence><code code="TIME_ABSOLUTE"/><value><head
value="201001191519{22 + second:06.3f}"/><increment value="{1 / rate_hz}" unit="s"/></value></sequence></component>"""
        for k in rows:
            digits = " ".join(map(str, np.rint(counts[k] / 5).astype(int)))
            sets += f"""<component><sequence><code code="MDC_ECG_LEAD_{LEADS[k].upper()}"/><value><origin value="0" unit="uV"/>
<scale value="5" unit="uV"/><digits>{digits}</digits></value></sequence></component>"""
        sets += "</sequenceSet></component>"
    said = "".join(
        f'<component><annotation><code code="MDC_ECG_INTERPRETATION_STATEMENT"/><value>{text}</value></annotation></component>'
        for text in ("Sinus rhythm", f"Confirmed by {NAME}")
    )
    (folder / f"{name}.xml").write_text(
        f"""<AnnotatedECG xmlns="urn:hl7-org:v3"><componentOf><timepointEvent><componentOf><subjectAssignment><subject>
<trialSubject><id extension="{NUMBER}"/><subjectDemographicPerson><name>{NAME}</name><birthTime value="{BORN}"/>
</subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>
<component><series><code code="RHYTHM"/><effectiveTime><low value="20100119151922"/></effectiveTime>
<author><seriesAuthor><manufacturedSeriesDevice><manufacturerModelName>ELI250</manufacturerModelName>
<softwareName>5.3</softwareName></manufacturedSeriesDevice></seriesAuthor></author>
<secondaryPerformer><seriesPerformer><assignedPerson><name>{NAME}</name></assignedPerson></seriesPerformer></secondaryPerformer>
<controlVariable><controlVariable><code code="MDC_ECG_CTL_VBL_ATTR_FILTER_LOW_PASS"/><component><controlVariable>
<value value="150" unit="Hz"/></controlVariable></component></controlVariable></controlVariable>{sets}
<subjectOf><annotationSet><component><annotation><code code="MDC_ECG_TIME_PD_PR"/><value value="148" unit="ms"/></annotation>
</component><component><annotation><code code="MDC_ECG_TIME_PD_QRS"/><value value="120" unit="ms"/></annotation></component>
{said}</annotationSet></subjectOf></series></component></AnnotatedECG>"""
    )


def coded(value: str, meaning: str, scheme: str = "MDC") -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def multiplex(counts: np.ndarray, rows: list[int], rate_hz: float, offset_s: float, originality: str) -> Dataset:
    """One multiplex group of 5 µV per count."""
    group = Dataset()
    group.MultiplexGroupTimeOffset, group.WaveformOriginality = offset_s * 1000, originality
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = len(rows), counts.shape[1]
    group.SamplingFrequency = rate_hz
    group.MultiplexGroupLabel = "RHYTHM" if originality == "ORIGINAL" else "MEDIAN BEAT"
    channels = []
    for k in rows:
        channel = Dataset()
        channel.ChannelSourceSequence = [coded(f"2:{LEADS_SCP[LEADS[k]]}", f"Lead {LEADS[k]}")]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = 5, 1, 0
        channel.ChannelSensitivityUnitsSequence = [coded("uV", "microvolt", "UCUM")]
        channel.WaveformBitsStored, channel.FilterLowFrequency, channel.FilterHighFrequency = 16, 0.05, 150
        channels.append(channel)
    group.ChannelDefinitionSequence = channels
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = np.rint(counts[rows] / 5).astype("<i2").T.tobytes()
    return group


def write_dicom(
    folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500, print_s: float | None = None
) -> None:
    """A 12-lead DICOM waveform with annotations; `print_s` writes 4 groups of 3 leads, one after the other."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3.4"
    data.PatientName, data.PatientID, data.PatientBirthDate = f"{NAME}^{NAME}", NUMBER, BORN
    data.OperatorsName, data.ReferringPhysicianName = NAME, NAME
    data.Manufacturer, data.ManufacturerModelName, data.DeviceSerialNumber = "Maker", "Model 1", NUMBER
    data.AcquisitionDateTime = "20100119151922"
    if print_s:
        n = round(print_s * rate_hz)
        groups = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
        data.WaveformSequence = [
            multiplex(counts[:, k * n : (k + 1) * n], rows, rate_hz, k * print_s, "ORIGINAL")
            for k, rows in enumerate(groups)
        ]
    else:
        beat = multiplex(counts[:, :600], list(range(12)), rate_hz, 0, "DERIVED")
        data.WaveformSequence = [multiplex(counts, list(range(12)), rate_hz, 0, "ORIGINAL"), beat]
    notes = []
    for meaning, value in (("PR Interval", 148), ("QRS Duration", 96)):
        note = Dataset()
        note.ConceptNameCodeSequence, note.NumericValue = [coded("1", meaning)], value
        notes.append(note)
    for text in ("Sinus rhythm", f"Confirmed by {NAME}", f"{NAME} again"):
        note = Dataset()
        note.UnformattedTextValue = text
        notes.append(note)
    data.WaveformAnnotationSequence = notes
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, "1.2.3.4"
    pydicom.dcmwrite(folder / f"{name}.dcm", data, enforce_file_format=True)


def huffman(values: np.ndarray) -> bytes:
    """Bits of the default table of SCP-ECG: 0 is '0', ±1 to ±8 a row of ones, '0' and the sign, others 16 bits."""
    bits = []
    for value in values.tolist():
        if value == 0:
            bits.append("0")
        elif abs(value) <= 8:
            bits.append("1" * abs(value) + "0" + ("1" if value < 0 else "0"))
        else:
            bits.append("1111111111" + f"{value & 0xFFFF:016b}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:]


def scp_section(number: int, body: bytes) -> bytes:
    """A section with its header and checksum; its length is even."""
    body += b"\0" * (len(body) % 2)
    rest = struct.pack("<HIBB6s", number, len(body) + 16, 20, 20, b"\0" * 6) + body
    return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest


def write_scp(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500, compress: bool = True) -> None:
    """SCP-ECG 2.0 with 5 µV per count: second differences in the default Huffman code, or plain."""
    small = np.rint(counts / 5).astype(int)
    if compress:
        coded_rows = [np.concatenate([row[:2], np.diff(row, 2)]) for row in small]
        leads = [huffman(row) for row in coded_rows]
    else:
        leads = [row.astype("<i2").tobytes() for row in small]
    leads = [lead + b"\0" * (len(lead) % 2) for lead in leads]
    tags = [(0, NAME), (1, NAME), (2, NUMBER), (20, NAME), (22, NAME)]
    about = b"".join(struct.pack("<BH", tag, len(text) + 1) + text.encode() + b"\0" for tag, text in tags)
    about += struct.pack("<BHHBB", 5, 4, 1953, 5, 8) + struct.pack("<BHHBB", 25, 4, 2010, 1, 19)
    about += struct.pack("<BHBBB", 26, 3, 15, 19, 22) + struct.pack("<BHH", 27, 2, 5) + struct.pack("<BHH", 28, 2, 150)
    about += struct.pack("<BH", 255, 0)
    n = counts.shape[1]
    definition = struct.pack("<BB", 12, (12 << 3) | 4)
    definition += b"".join(struct.pack("<IIB", 1, n, LEADS_SCP[lead]) for lead in LEADS)
    rhythm = struct.pack("<HHBB", 5000, round(1e6 / rate_hz), 2 if compress else 0, 0)
    rhythm += struct.pack("<12H", *map(len, leads)) + b"".join(leads)
    measured = struct.pack("<BBHH5H3h", 1, 0, 800, 800, 200, 300, 360, 456, 800, 40, 50, 60)
    said = b"".join(
        struct.pack("<BH", k, len(t) + 1) + t.encode() + b"\0"
        for k, t in enumerate(["Sinus rhythm", f"Read by {NAME}"])
    )
    report = struct.pack("<BHBBBBBB", 0, 2010, 1, 19, 15, 19, 22, 2) + said
    bodies = {1: about, 3: definition, 6: rhythm, 7: measured, 8: report}
    if compress:
        bodies[2] = struct.pack("<H", 19999)
    sections = {number: scp_section(number, body) for number, body in sorted(bodies.items())}
    at, pointers = 7 + 16 + 10 * 12, {}
    for number, section in sections.items():
        pointers[number] = (len(section), at)
        at += len(section)
    table = b"".join(struct.pack("<HII", k, *((16 + 120, 7) if k == 0 else pointers.get(k, (0, 0)))) for k in range(12))
    everything = scp_section(0, table) + b"".join(sections.values())
    rest = struct.pack("<I", len(everything) + 6) + everything
    (folder / f"{name}.scp").write_bytes(struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest)


def write_code15(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 400) -> None:
    """An HDF5 file of CODE-15: one exam padded with zeros at both ends, and the dummy last row."""
    tracings = np.zeros((2, 4096, 12), np.float32)
    n = min(counts.shape[1], 4000)
    tracings[0, 40 : 40 + n] = counts[:, :n].T / 1000
    with h5py.File(folder / f"{name}.hdf5", "w") as file:
        file["tracings"], file["exam_id"] = tracings, np.array([1169160, 0])
        file.attrs["patient"] = NAME


def write_mat(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 400) -> None:
    """A .mat file of CODE-15."""
    values = {"feats": (counts / 1000).astype(np.float32), "curr_sample_rate": int(rate_hz), "idx": 5, "name": NAME}
    scipy.io.savemat(folder / f"{name}.mat", values, do_compression=True)


def write_csv(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """A table with a time column and a column of text."""
    table = pl.DataFrame({"time": np.arange(counts.shape[1]) / rate_hz} | dict(zip(LEADS, counts / 1000, strict=True)))
    table.with_columns(patient=pl.lit(NAME)).write_csv(folder / f"{name}.csv")


def write_parquet(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """The same as Parquet."""
    table = pl.DataFrame({"time": np.arange(counts.shape[1]) / rate_hz} | dict(zip(LEADS, counts / 1000, strict=True)))
    table.with_columns(patient=pl.lit(NAME)).write_parquet(folder / f"{name}.parquet")


def write_npy(folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500) -> None:
    """[sample, lead] of µV."""
    np.save(folder / f"{name}.npy", counts.T.astype(np.int16))


def write_edf(
    folder: Path, name: str, counts: np.ndarray, rate_hz: float = 500, labels: list[str] | None = None
) -> None:
    """EDF of 16-bit µV in blocks of one second, with the person in the header."""
    labels, rate = labels or list(LEADS), round(rate_hz)
    blocks = counts.shape[1] // rate
    columns = {16: labels, 80: [""] * len(labels), 8: ["uV"] * len(labels)}
    header = f"{'0':8}{f'{NUMBER} M 08-MAY-1953 {NAME}':80}{f'Startdate X {NAME}':80}19.01.1015.19.22"
    header += f"{256 * (1 + len(labels)):<8}{'':44}{blocks:<8}{1:<8}{len(labels):<4}"
    for width, texts in columns.items():
        header += "".join(f"{text:{width}}" for text in texts)
    for value in (-32768, 32767, -32768, 32767):
        header += f"{value:<8}" * len(labels)
    header += f"{'HP:0.1Hz':80}" * len(labels) + f"{rate:<8}" * len(labels) + f"{'':32}" * len(labels)
    samples = counts[:, : blocks * rate].astype("<i2").reshape(len(labels), blocks, rate).transpose(1, 0, 2)
    (folder / f"{name}.edf").write_bytes(header.encode("latin-1") + np.ascontiguousarray(samples).tobytes())


# Format of the settings -> what writes it, and the settings it needs. `files` stands once for each suffix.
WRITERS: dict[str, tuple[str, Callable[..., None], dict[str, object]]] = {
    "wfdb": ("wfdb", write_wfdb, {}),
    "cardiosoft": ("cardiosoft", write_cardiosoft, {}),
    "muse": ("muse", write_muse, {}),
    "philips": ("philips", write_philips, {}),
    "aecg": ("aecg", write_aecg, {}),
    "dicom": ("dicom", write_dicom, {}),
    "scp": ("scp", write_scp, {}),
    "code15": ("code15", write_code15, {"unit": "mV"}),
    "mat": ("files", write_mat, {"unit": "mV"}),
    "csv": ("files", write_csv, {"unit": "mV"}),
    "parquet": ("files", write_parquet, {"unit": "mV"}),
    "npy": ("files", write_npy, {"rate_hz": 500, "microvolts_per_count": 1}),
    "edf": ("edf", write_edf, {}),
}
