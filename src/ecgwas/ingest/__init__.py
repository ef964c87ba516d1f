"""ECG files of any format -> recordings, signals, median beats, classical intervals."""
