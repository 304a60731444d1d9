"""The layouts for Arduino and Zephyr of docs/on-a-device.md, compiled as their builders do.

Arduino's core and Zephyr's CMake package are stand-ins: what is shown is that the files of the docs
are well-formed, and that the detector compiles and links among them.
"""
import os
import re

import pytest

from conftest import ROOT
from kit.firmware import devices, pieces, source
from machines import machine, needs, write

ARM = ["-mcpu=cortex-m0plus", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections", "-Wall",
       "-Werror"]
M0 = next(core for core in devices.CORES if core.name == "Cortex-M0")
LIBRARY_KEYS = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url",
                "architectures"}  # Arduino's library specification asks for these
ARDUINO = """#include <math.h>
#include <stddef.h>
struct Port { void begin(long) {} void println(const char *) {} };
static Port Serial;
static unsigned long millis() { static unsigned long now; return now += 30000; }
static int analogRead(int channel) { return 10 * (channel + 1); }
"""
ZEPHYR = """project(Zephyr-Kernel C)
file(STRINGS ${CMAKE_SOURCE_DIR}/prj.conf lines)
foreach(line ${lines})
  if(line MATCHES "^(CONFIG_[A-Z_]+)=(.*)$")
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  endif()
endforeach()
add_library(app STATIC)
target_compile_options(app PRIVATE -std=c99 -Os -Wall -Werror %s)
"""


def page():
    with open(os.path.join(ROOT, "docs", "on-a-device.md"), encoding="utf-8") as file:
        return file.read()


def block(language):
    """The text of the page's one block of a language."""
    found, = re.findall(r"^```%s\n(.*?)^```" % language, page(), re.M | re.S)
    return found


@pytest.fixture
def sources():
    """{name: text} of a detector called as in the docs."""
    probe = machine("lstm", "int8")
    return source.sources(probe.step, probe.scaler, probe.detector, {"title": "", "sources": []},
                          "detector", "tflite")


def test_an_arduino_sketch_compiles_with_the_library(sources, tmp_path):
    needs("arm-none-eabi-g++", "arm-none-eabi-gcc")
    properties = dict(line.split("=", 1) for line in block("properties").splitlines())
    assert LIBRARY_KEYS <= set(properties) and properties["includes"] in sources
    for name, text in sources.items():
        write(tmp_path, name, text)
    write(tmp_path, "board.c", pieces.text("board.c"))
    write(tmp_path, "board.ld", pieces.text("board.ld"))
    write(tmp_path, "host.h", pieces.text("host.h"))
    write(tmp_path, "watch.cpp", ARDUINO + block("cpp")
          + "int main() { setup(); for (;;) loop(); }\n")
    devices.tool(["arm-none-eabi-gcc", "-std=gnu11", "-I."] + ARM + ["-c", "detector.c"],
                 str(tmp_path))
    devices.tool(["arm-none-eabi-g++", "-std=gnu++11", "-fno-exceptions", "-fno-rtti",
                  "-fno-threadsafe-statics", "-I."] + ARM + ["-c", "watch.cpp"], str(tmp_path))
    devices.tool(["arm-none-eabi-gcc", "--specs=nosys.specs"] + ARM + [
        "-nostartfiles", "-Wl,--gc-sections", "-Wl,--defsym=FLASH=0", "-Wl,--defsym=RAM=0x20000000",
        "-T", "board.ld", "board.c", "watch.o", "detector.o", "-lm", "-o", "watch.elf"],
        str(tmp_path))
    assert 2000 < devices.linked_flash(M0, str(tmp_path), "watch.elf") < 60000


@pytest.mark.parametrize("double", [False, True])
def test_a_zephyr_application_compiles(double, sources, tmp_path):
    needs("cmake", "make", "arm-none-eabi-gcc")
    main = re.search(r"^```c\n(#include <math.h>.*?)^```", page(), re.M | re.S).group(1)
    main = main.replace("int main(void)", """float board_read(int);
void board_start(void), board_wait_for_next_sample(void), board_report(int, float);

int main(void)""", 1)
    (tmp_path / "src").mkdir()
    for name, text in dict(sources, **{"main.c": main}).items():
        write(tmp_path / "src", name, text)
    write(tmp_path, "CMakeLists.txt", block("cmake"))
    write(tmp_path, "prj.conf", block("conf") + "CONFIG_DETECTOR_DOUBLE=y\n" * double)
    (tmp_path / "zephyr").mkdir()
    write(tmp_path / "zephyr", "ZephyrConfig.cmake", ZEPHYR % " ".join(ARM[:2]))
    assert re.search(r"^config DETECTOR_DOUBLE\n\tbool", block("kconfig"), re.M)
    devices.tool(["cmake", "-S", ".", "-B", "build", "-DZephyr_DIR=" + str(tmp_path / "zephyr"),
                  "-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
                  "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"], str(tmp_path))
    devices.tool(["cmake", "--build", "build"], str(tmp_path))
    symbols = devices.tool(["arm-none-eabi-nm", "build/libapp.a"], str(tmp_path))
    assert "T detector_step" in symbols and ("U log1p" in symbols) == double
